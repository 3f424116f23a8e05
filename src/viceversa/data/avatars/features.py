"""The features of a face: nose, mouth, eyes, brows, beard, glasses."""

import numpy as np
from PIL import Image, ImageChops

from viceversa.data.avatars.canvas import INK, WHITE, Canvas, Points, curve, ellipse, mix, outline, shadow
from viceversa.data.avatars.figure import Figure


def nose(canvas: Canvas, figure: Figure, face: Image.Image) -> None:
    """The nose, by its shadow and the light on its tip; ``face`` is where it may be."""
    who = figure.who
    shade = shadow(who.skin)
    side = -figure.near
    tip, width = who.nose_length, who.nose_width
    if canvas.flat:
        line = figure.side(side, [(0.004, tip - 0.03), (0.016, tip), (0.0, tip + 0.006)], 1.5)
        canvas.taper(line, mix(shade, INK, 0.4), 0.008)
        return
    edge = [(0.022, -0.03), (0.014, 0.02), (0.020, tip - 0.03), (width, tip - 0.004), (0.0, tip + 0.016), (0.006, 0.02)]
    canvas.shade(figure.side(side, edge, 1.5), shade, 0.75, blur=0.010, clip=face)
    under = figure.head(ellipse(0.0, tip + 0.008, width * 0.9, 0.009), 1.5)
    canvas.shade(under, mix(shade, (90, 30, 30), 0.4), 0.8, blur=0.007, clip=face)
    ridge = figure.head(ellipse(-side * 0.006, tip - 0.018, 0.011, 0.020), 1.6)
    canvas.shade(ridge, mix(who.skin, WHITE, 0.6), 0.45, blur=0.010)


def beard(canvas: Canvas, figure: Figure, face: Image.Image) -> None:
    """Stubble inside ``face``, or a beard that reaches beyond it."""
    who = figure.who
    colour = mix(who.hair, (30, 18, 18), 0.15)
    shape = figure.beard
    inside = canvas.mask(shape)
    if who.beard == "stubble":
        canvas.label(ImageChops.darker(inside, face), "beard")
        canvas.shade(shape, mix(colour, (40, 30, 34), 0.4), 0.46, blur=0.016, clip=face)
        return
    canvas.label(inside, "beard")
    if canvas.flat:
        canvas.fill(shape, colour, outline=outline(colour))
        return
    # Soft towards the cheeks, crisp towards the background.
    canvas.shade(figure.beard_grown, colour, 0.90 if who.beard == "short" else 1.0, blur=0.012, clip=inside)
    middle = figure.head(ellipse(-0.05 * figure.near, 0.235, 0.06, 0.02))
    canvas.shade(middle, mix(colour, (255, 220, 180), 0.45), 0.4, blur=0.02, clip=inside)


def mouth(canvas: Canvas, figure: Figure) -> None:
    """Full and painted lips in women, thin ones in men; people who laugh show their teeth."""
    who = figure.who
    laughs = who.smile > 0.5
    y, smile, gap = 0.174, 0.007 + 0.012 * who.smile, 0.020 * laughs
    half = who.mouth_width * (1.12 if laughs else 1.0)
    if figure.man:
        lips, full = mix(shadow(who.skin), (170, 70, 70), 0.40), 0.55
    else:
        lips, full = who.lips, 1.0
    left, right = (-half, y - smile), (half, y - smile)
    bend = y + 0.003 - gap * 0.3
    seam = figure.head(curve([left, (-half * 0.5, bend - 0.004), (0.0, bend), (half * 0.5, bend - 0.004), right]))
    cheek = y - 0.002 + gap * 0.8
    under = figure.head(curve([left, (-half * 0.55, cheek), (0.0, y + 0.003 + gap * 1.1), (half * 0.55, cheek), right]))
    top = [(half * 0.45, y - 0.016 * full), (half * 0.16, y - 0.022 * full), (0.0, y - 0.017 * full)]
    top = [right, *top, *((-x, h) for x, h in top[1::-1]), left]
    edge, deep = y + gap + (0.012 if laughs else 0.018) * full, y + gap * 1.2 + (0.022 if laughs else 0.031) * full
    low = [right, (half * 0.55, edge), (0.0, deep), (-half * 0.55, edge), left]
    lower = np.concatenate([under, figure.head(curve(low))])
    if not (canvas.flat and figure.man):
        canvas.fill(lower, lips, label="lips")
        canvas.fill(np.concatenate([seam, figure.head(curve(top))]), mix(lips, (70, 16, 30), 0.20), label="lips")
    if not canvas.flat and not figure.man:
        gloss = figure.head(ellipse(0.0, y + gap * 1.3 + 0.016, half * 0.34, 0.006))
        canvas.shade(gloss, mix(lips, WHITE, 0.7), 0.6, blur=0.006)
    if laughs:
        canvas.fill(np.concatenate([seam, under[::-1]]), (252, 248, 244), label="teeth")
        canvas.taper(under, mix(lips, (50, 10, 20), 0.45), 0.006)
    canvas.taper(seam, mix(lips, (50, 10, 20), 0.65), 0.009, label="lips")


def _almond(figure: Figure, sign: float, wide: float, tall: float) -> tuple[Points, Points]:
    """Upper and lower edge of an eye, each from the inner to the outer corner."""
    who = figure.who
    x, y = who.eye_spacing, 0.014
    lift = who.eye_slant * wide
    inner, outer = (x - wide, y + 0.005), (x + wide, y - lift)
    upper = [
        inner,
        (x - wide * 0.5, y - tall * 0.85),
        (x + wide * 0.12, y - tall - lift * 0.4),
        (x + wide * 0.65, y - tall * 0.62 - lift),
        outer,
    ]
    lower = [inner, (x - wide * 0.35, y + tall * 0.62), (x + wide * 0.30, y + tall * 0.70 - lift * 0.3), outer]
    return figure.side(sign, upper), figure.side(sign, lower)


def eye(canvas: Canvas, figure: Figure, sign: float) -> None:
    """The right (``sign`` 1) or the left (-1) eye."""
    who = figure.who
    wide, tall = 0.047 * who.eye_size, 0.029 * who.eye_size
    if canvas.flat:
        wide, tall = wide * 1.12, tall * 1.62
    upper, lower = _almond(figure, sign, wide, tall)
    shape = np.concatenate([upper, lower[::-1]])
    if not canvas.flat:
        socket = figure.head(ellipse(sign * who.eye_spacing, 0.004, wide * 1.15, tall * 1.5))
        canvas.shade(socket, shadow(who.skin), 0.40, blur=0.016)
    canvas.fill(shape, (250, 248, 246), label="eyes")
    inside = canvas.mask(shape)
    x, y = sign * who.eye_spacing + 0.004 * who.turn, 0.010
    radius = tall * 1.02
    ratio = 0.82 if canvas.flat else 1.0
    iris = figure.head(ellipse(x, y, radius * ratio, radius))
    canvas.fill(iris, mix(who.eye, (0, 0, 0), 0.45), clip=inside)
    canvas.fill(figure.head(ellipse(x, y + radius * 0.12, radius * 0.84 * ratio, radius * 0.84)), who.eye, clip=inside)
    canvas.fill(figure.head(ellipse(x, y, radius * 0.46 * ratio, radius * 0.46)), (18, 12, 14), clip=inside)
    glint = radius * (0.34 if canvas.flat else 0.30)
    spot = ellipse(x + 0.3 * radius * figure.near, y - radius * 0.36, glint, glint)
    canvas.fill(figure.head(spot), WHITE, clip=inside)
    lid = np.concatenate([upper, np.add(upper[::-1], (0.0, tall * 0.5))])
    canvas.shade(lid, (60, 40, 50), 0.4, blur=0.006, clip=inside)
    _lids(canvas, figure, sign, upper, lower)


def _lids(canvas: Canvas, figure: Figure, sign: float, upper: Points, lower: Points) -> None:
    """The lash line: thick and winged in women, thin in men."""
    who = figure.who
    dark = mix(who.skin, (30, 16, 16), 0.88)
    if figure.man and not canvas.flat:
        canvas.stroke(upper, mix(who.skin, (40, 20, 20), 0.75), 0.008)  # no lashes: the skin's own fold
        return
    if not figure.man:
        lift = np.linspace(0, 1, len(upper))[:, None] * (sign * 0.004, -0.014)
        tip = np.add(upper[-1:], (sign * 0.020, -0.014))
        canvas.fill(np.concatenate([upper, tip, (upper + lift)[::-1]]), dark, label="eyes")
    canvas.stroke(upper, dark, 0.012 if canvas.flat else 0.010, label="eyes")
    if canvas.flat:
        canvas.stroke(lower[6:-4], mix(who.skin, INK, 0.6), 0.006)


def brow(canvas: Canvas, figure: Figure, sign: float) -> None:
    """The brow over one eye, twice as thick in men."""
    who = figure.who
    x, y = who.eye_spacing, -0.052 + who.brow_height - (0.016 if canvas.flat else 0.0)
    thick = 0.027 if figure.man else 0.013
    arch = 0.006 if figure.man else 0.010
    if figure.man:
        y += 0.006
    rise = 0.005 * who.brow_angle
    path = [(x - 0.050, y - 0.002 + rise), (x - 0.020, y - 0.007), (x + 0.020, y - arch), (x + 0.058, y + 0.008 - rise)]
    line = figure.side(sign, path, steps=8)
    colour = mix(who.hair, (30, 18, 18), 0.35)
    canvas.taper(line, colour, thick, label="brows")
    canvas.stroke(line[2:-6], colour, thick * 0.62, label="brows")


def glasses(canvas: Canvas, figure: Figure) -> None:
    """Frames, arms and bridge, and a breath of white on the lenses."""
    who = figure.who
    square = 2.0 if who.glasses == "round" else 4.0
    tall = 0.060 if who.glasses == "round" else 0.048
    for sign in (-1.0, 1.0):
        frame = ellipse(sign * (who.eye_spacing + 0.002), 0.018, 0.068, tall, corners=40, square=square)
        lens = figure.head(frame, 1.1)
        canvas.shade(lens, WHITE, 0.10, blur=0.004)
        canvas.stroke(np.concatenate([lens, lens[:2]]), who.frame, 0.0125, label="glasses")
        arm = figure.side(sign, [(who.eye_spacing + 0.068, 0.008), (who.face_width + 0.006, 0.002)], 0.6)
        canvas.stroke(arm, who.frame, 0.0125, label="glasses")
    bridge = figure.head(curve([(-0.020, 0.012), (0.0, 0.004), (0.020, 0.012)]), 1.3)
    canvas.stroke(bridge, who.frame, 0.0125, label="glasses")
