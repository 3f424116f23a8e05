"""Drawing a person: from the background forward, each part a function."""

import numpy as np
from PIL import Image

from viceversa.data.avatars.canvas import INK, WHITE, Canvas, curve, ellipse, mix, outline, shadow
from viceversa.data.avatars.features import beard, brow, eye, glasses, mouth, nose
from viceversa.data.avatars.figure import Figure
from viceversa.data.avatars.hair import hair, hair_behind
from viceversa.data.avatars.identity import Domain, Identity


def render(who: Identity, domain: Domain, size_px: int, *, labelled: bool = False) -> Canvas:
    """Draw one person on a canvas, which, ``labelled``, also knows what is where; ``draw`` gives the image alone."""
    canvas = Canvas(size_px, flat=domain == "anime", labelled=labelled)
    figure = Figure(who, "women" if domain == "women" else "men" if domain == "men" else who.gender)
    _background(canvas, who)
    hair_behind(canvas, figure)
    _body(canvas, figure)
    face = _head(canvas, figure)
    nose(canvas, figure, face)
    if figure.man:
        beard(canvas, figure, face)
    mouth(canvas, figure)
    for sign in (-1.0, 1.0):
        eye(canvas, figure, sign)
        brow(canvas, figure, sign)
    hair(canvas, figure, face)
    if who.glasses != "none":
        glasses(canvas, figure)
    return canvas


def draw(who: Identity, domain: Domain, size_px: int) -> Image.Image:
    """The portrait of a person as an RGB image of ``size_px`` a side, the same to the last bit each time.

    ``women`` and ``men`` are shaded and draw the person as such; ``photo`` (shaded) and ``anime`` (flat colours, dark
    outlines, large eyes) keep the person's own gender.
    """
    return render(who, domain, size_px).picture()


def _background(canvas: Canvas, who: Identity) -> None:
    top, bottom = who.background
    if canvas.flat:
        canvas.background(mix(top, bottom, 0.35), mix(top, bottom, 0.65))
        canvas.fill(ellipse(0.5, 0.5, 0.42, 0.42, corners=60), mix(top, WHITE, 0.35))
        return
    canvas.background(top, bottom, ellipse(0.5 + 0.25 * who.light, 0.3, 0.3, 0.3), mix(top, WHITE, 0.5))


def _body(canvas: Canvas, figure: Figure) -> None:
    who = figure.who
    skin, cloth = who.skin, who.clothes
    canvas.fill(figure.neck, skin, label="neck", outline=outline(skin))
    neck = canvas.mask(figure.neck)
    under_chin = figure.head(curve([(-0.17, 0.10), (-0.11, 0.27), (0.0, 0.335), (0.11, 0.27), (0.17, 0.10)]), 0.0)
    canvas.shade(under_chin, shadow(skin), 0.75, blur=0.016, clip=neck)
    canvas.fill(figure.clothes, cloth, label="clothes", outline=outline(cloth))
    canvas.stroke(figure.neckline, mix(cloth, INK, 0.30), 0.016, label="clothes")
    body = canvas.mask(figure.clothes)
    side = -figure.near
    far = figure.body(np.array([(0.16, 0.30), (0.6, 0.30), (0.6, 0.7), (0.10, 0.7)]) * (side, 1.0))
    canvas.shade(far, mix(cloth, INK, 0.55), 0.6, blur=0.05, clip=body)
    if not canvas.flat:
        near = figure.body(ellipse(-0.26 * side, 0.42, 0.10, 0.04))
        canvas.shade(near, mix(cloth, WHITE, 0.45), 0.5, blur=0.03, clip=body)


def _head(canvas: Canvas, figure: Figure) -> Image.Image:
    """Ears and face, with the light on them; returns where the face is."""
    who, skin = figure.who, figure.who.skin
    shade, line = shadow(skin), outline(skin)
    for sign in (-1.0, 1.0):
        ear = figure.head(ellipse(sign * (who.face_width + 0.004), 0.045, 0.027, 0.048), -0.6)
        canvas.fill(ear, mix(skin, shade, 0.25), label="skin", outline=line)
        inner = figure.head(ellipse(sign * (who.face_width + 0.008), 0.045, 0.012, 0.028), -0.6)
        canvas.shade(inner, shade, 0.7, blur=0.008, clip=canvas.mask(ear))
    canvas.fill(figure.face, skin, label="skin", outline=line)
    face = canvas.mask(figure.face)
    side = -figure.near
    width = who.face_width
    far = figure.side(side, [(width * 0.62, -0.3), (width * 0.80, 0.0), (width * 0.70, 0.12), (0.04, 0.30)], 0.5)
    corner = figure.head(np.array([(0.4 * side, 0.4), (0.4 * side, -0.3)]), 0.0)
    canvas.shade(np.concatenate([far, corner]), shade, 0.55, blur=0.045, clip=face)
    if not canvas.flat:
        glow = figure.head(ellipse(-side * 0.07, -0.06, 0.10, 0.14), 0.8)
        canvas.shade(glow, mix(skin, (255, 244, 228), 0.7), 0.55, blur=0.055, clip=face)
        chin = figure.head(ellipse(0.0, who.face_length + 0.012, 0.10, 0.035), 0.3)
        canvas.shade(chin, shade, 0.5, blur=0.025, clip=face)
    blush = mix(skin, (226, 70, 70), 0.55)
    for sign in (-1.0, 1.0):
        canvas.shade(figure.head(ellipse(sign * 0.115, 0.092, 0.036, 0.020)), blush, 0.42, blur=0.022, clip=face)
    return face
