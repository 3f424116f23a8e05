"""Hair, behind the head and in front of it."""

import numpy as np
from PIL import Image, ImageChops

from viceversa.data.avatars.canvas import Canvas, curve, mix, outline, shadow
from viceversa.data.avatars.figure import Figure

# Where the light shines on the hair, for light from the right.
_SHINE = (
    (-0.03, -0.245),
    (0.05, -0.262),
    (0.13, -0.225),
    (0.185, -0.14),
    (0.19, -0.09),
    (0.14, -0.155),
    (0.07, -0.205),
)


def hair_behind(canvas: Canvas, figure: Figure) -> None:
    """Long hair behind neck and shoulders; men have none."""
    if figure.man:
        return
    dark = mix(figure.who.hair, (16, 10, 20), 0.38)
    canvas.fill(figure.hair_behind, dark, label="hair", outline=outline(figure.who.hair))


def hair(canvas: Canvas, figure: Figure, face: Image.Image) -> None:
    """The hair in front of the head, its shadow on the ``face`` and the light on it."""
    who = figure.who
    # The short side first: the long side of a part lies over it.
    pieces = [figure.hair(sign) for sign in ((-1.0, 1.0) if who.front == "left" else (1.0, -1.0))]
    if who.front == "fringe":
        pieces.append(figure.fringe)
    clip = canvas.mask(*pieces)
    cast = ImageChops.darker(face, canvas.mask(*(np.add(piece, (0.0, 0.024)) for piece in pieces)))
    canvas.tint(cast, shadow(who.skin), 0.55)
    for piece in pieces:
        canvas.fill(piece, who.hair, label="hair", outline=outline(who.hair))
    dark, light = mix(who.hair, (12, 8, 18), 0.50), mix(who.hair, (255, 232, 200), 0.42)
    if canvas.flat:
        for piece in pieces:  # once more, over the outlines between the pieces
            canvas.fill(piece, who.hair)
    canvas.streaks(figure.strands[:, 1::2].reshape(-1, 24, 2), dark, 0.38, 0.022, clip=clip)
    canvas.streaks(figure.strands[:, ::2].reshape(-1, 24, 2), light, 0.26, 0.015, clip=clip)
    if who.front == "fringe":
        inside = canvas.mask(figure.fringe)
        canvas.fill(figure.fringe, who.hair)
        canvas.streaks(figure.fringe_strands[::2], dark, 0.38, 0.020, clip=inside)
        canvas.streaks(figure.fringe_strands[1::2], light, 0.28, 0.014, clip=inside)
    shine = figure.head(curve(np.array(_SHINE) * (figure.near, 1.0), closed=True), 0.3)
    canvas.shade(shine, light, 0.70, blur=0.024, clip=clip)
    far = np.array([(-0.14, -0.35), (-0.4, -0.35), (-0.4, 0.5), (-0.17, 0.5)]) * (figure.near, 1.0)
    canvas.shade(figure.head(far, 0.0), dark, 0.55, blur=0.05, clip=clip)
