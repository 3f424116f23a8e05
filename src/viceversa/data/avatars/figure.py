"""The shapes of a person, in lengths of the image's side: head, hair, beard, each as a smooth outline.

Points of the head are given around its middle, between the eyes, looking straight ahead; ``Figure.head`` turns, tilts
and shifts them. Whatever differs between women and men asks ``Figure.man``; nothing else does.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from viceversa.data.avatars.canvas import Points, curve, normals
from viceversa.data.avatars.identity import Gender, Identity

_SCALE = 1.14
_NECK = 0.24


@dataclass(frozen=True)
class Figure:
    """One identity as a woman or as a man."""

    who: Identity
    gender: Gender

    @property
    def man(self) -> bool:
        """Whether this is drawn as a man."""
        return self.gender == "men"

    @property
    def near(self) -> float:
        """The side where the light comes from: -1 left, 1 right."""
        return 1.0 if self.who.light > 0 else -1.0

    def head(self, points: Points, depth: float = 1.0) -> Points:
        """Put points of the head into the image; those of greater ``depth`` move further when the head turns."""
        moved = points - (0.0, _NECK)
        if self.who.turn and depth:
            moved[:, 0] += self.who.turn * 0.020 * depth * np.maximum(0, 1 - (points[:, 0] / 0.25) ** 2)
        return self.body(moved @ self._tilt + (0.0, _NECK))

    @cached_property
    def _tilt(self) -> Points:
        cosine, sine = np.cos(self.who.tilt), np.sin(self.who.tilt)
        return np.array([(cosine, sine), (-sine, cosine)])

    def body(self, points: Points) -> Points:
        """Put points of the body, around the same middle, into the image: shifted, neither turned nor tilted."""
        return points * _SCALE + (0.5 + self.who.shift_x, 0.485 + self.who.shift_y)

    @cached_property
    def face(self) -> Points:
        """The outline of the face, forehead included."""
        who = self.who
        width, chin = who.face_width, who.face_length
        jaw = width * ((0.80 + 0.06 * who.jaw) if self.man else (0.72 + 0.06 * who.jaw))
        chin_width = 0.062 if self.man else 0.046
        half = [
            (0.0, -0.262),
            (0.098, -0.246),
            (0.163, -0.180),
            (width, -0.060),
            (width * 0.985, 0.040),
            (width * 0.925, 0.115),
            (jaw, 0.175),
            (jaw * 0.72, chin * 0.86),
            (chin_width, chin * 0.985),
            (0.0, chin),
        ]
        return self.head(curve(half + [(-x, y) for x, y in half[-2:0:-1]], closed=True), 0.0)

    def side(self, sign: float, points: list[tuple[float, float]], depth: float = 1.0, steps: int = 6) -> Points:
        """A smooth line on the right (``sign`` 1) or, mirrored, on the left (-1) half of the head."""
        return self.head(curve(np.array(points) * (sign, 1.0), steps=steps), depth)

    @cached_property
    def neck(self) -> Points:
        """The neck, down into the clothes."""
        w = 0.098 if self.man else 0.076
        half = [(w, 0.10), (w * 0.98, 0.24), (w * 1.02, 0.32), (w * 1.35, 0.37), (w * 2.1, 0.42), (w * 2.1, 0.60)]
        return self.body(curve(half + [(-x, y) for x, y in half[::-1]]))

    @cached_property
    def clothes(self) -> Points:
        """Shoulders, up to a round neckline: close to the neck in men, low in women."""
        out = 1.0 if self.man else 0.86
        half = [(0.315 * out, 0.402), (0.385 * out, 0.455), (0.43 * out, 0.56), (0.44 * out, 0.70)]
        half = [(0.132, 0.334), (0.20, 0.366), *half] if self.man else [(0.160, 0.374), (0.20, 0.380), *half]
        edge, right = self.neckline, curve(half) * 1.0
        left = right[::-1] * (-1.0, 1.0)
        return np.concatenate([edge, self.body(right), self.body(left)])

    @cached_property
    def neckline(self) -> Points:
        """The upper edge of the clothes, from left to right."""
        half = (
            [(0.132, 0.334), (0.098, 0.378), (0.0, 0.402)]
            if self.man
            else [(0.160, 0.374), (0.112, 0.448), (0.0, 0.482)]
        )
        return self.body(curve([(-x, y) for x, y in half] + half[-2::-1]))

    @cached_property
    def part(self) -> float:
        """Where the hair parts, right of the middle."""
        return {"left": -0.075, "right": 0.075, "centre": 0.0, "fringe": 0.0}[self.who.front]

    @cached_property
    def hair_end(self) -> float:
        """How far down long hair reaches, from the middle of the head."""
        return 0.25 + 0.15 * self.who.hair_length

    def hairline(self, sign: float) -> Points:
        """Where the hair meets the face on one half, from the part to the ends of the hair."""
        front, man = self.who.front, self.man
        if front == "fringe":
            top = [(0.0, -0.150), (0.070, -0.140), (0.130, -0.105)]
        elif front == "centre":
            middle = [(0.060, -0.188), (0.118, -0.140)] if man else [(0.050, -0.175), (0.110, -0.110)]
            top = [(0.0, -0.203), *middle]
        elif (front == "left") == (sign > 0):  # the long side of a side part sweeps over the forehead
            top = [(-0.075, -0.192), (0.0, -0.178), (0.075, -0.140), (0.128, -0.100)]
        else:
            top = [(0.075, -0.192), (0.105, -0.172), (0.135, -0.130)]
        if man:
            down = [(0.160, -0.062), (0.172, -0.020), (0.172, 0.030)]
        else:
            end = self.hair_end
            down = [(0.163, -0.040), (0.180, 0.050), (0.170, 0.150), (0.146, end - 0.070), (0.166, end + 0.010)]
        return self.side(sign, top + down, 0.6)

    def hair_outside(self, sign: float, *, smooth: bool = False) -> Points:
        """The outer edge of the hair on one half, from the crown to the ends; ``smooth`` leaves curls and waves out."""
        who, volume = self.who, self.who.volume
        curly = 0.020 * (who.texture == "curly")
        if self.man:
            lift = 0.014 * (who.front == "centre") + 0.012 * volume + curly
            wide, high = 0.212 + curly / 2, 0.304 + lift
            down = [(0.203 + curly / 2, -0.120), (0.207, -0.050), (0.200, 0.012), (0.183, 0.046)]
        else:
            out, end = 0.016 * volume + 1.6 * curly, self.hair_end
            wide, high = 0.236 + out, 0.312 + 0.6 * out
            down = [
                (0.228 + out, -0.090),
                (0.238 + out, 0.050),
                (0.246 + out * 1.3, 0.170),
                (0.244 + out * 1.2, end - 0.040),
                (0.200 + out * 0.5, end + 0.026),
            ]
        across = np.linspace(self.part * sign, 0.185, 5)
        dome = [(x, -high * (1 - (abs(x) / wide) ** 2.7) ** 0.5) for x in across.tolist()]
        line = self.side(sign, dome + down, 0.0)
        return line if smooth else self._texture(line, sign)

    def hair(self, sign: float) -> Points:
        """The hair of one half, in front of the face."""
        return np.concatenate([self.hair_outside(sign), self.hairline(sign)[::-1]])

    @cached_property
    def strands(self) -> Points:
        """``(2, 10, 24, 2)``: lines the way the hair falls on both halves, from the part to the ends of long hair.

        The same for women and men, who show the upper part of them: it is the same hair, only cut.
        """
        steps = np.linspace(0, 1, 24)
        shares = np.linspace(0.04, 0.90, 10)[:, None]
        size = {"straight": 0.0, "wavy": 0.004, "curly": 0.010}[self.who.texture]
        swing = size * np.sin(2 * np.pi * ((5.0 if self.who.texture == "curly" else 2.0) * steps + 3.7 * shares))
        long = Figure(self.who, "women")
        halves: list[Points] = []
        for sign in (-1.0, 1.0):
            outside, inside = (_at(line, steps) for line in (long.hair_outside(sign, smooth=True), long.hairline(sign)))
            lines = outside + (inside - outside) * shares[..., None]
            halves.append(lines + normals(lines) * swing[..., None])
        return np.stack(halves)

    @cached_property
    def fringe(self) -> Points:
        """Hair that falls over the forehead from the crown, with a notched edge."""
        low = -0.112 if self.man else -0.078
        x = np.array([-0.152, -0.120, -0.105, -0.060, -0.045, -0.005, 0.012, 0.050, 0.068, 0.105, 0.118, 0.152])
        notch = np.array([0.0, 0.0, -0.020, 0.0, -0.014, 0.004, -0.016, 0.002, -0.018, 0.0, -0.022, 0.0])
        y = low + 1.2 * x**2 + notch * (1.3 if self.man else 0.9)
        crown = curve([(0.160, -0.120), (0.120, -0.220), (0.0, -0.285), (-0.120, -0.220), (-0.160, -0.120)])
        return self.head(np.concatenate([curve(np.stack([x, y], axis=1), steps=4), crown]), 0.6)

    @cached_property
    def fringe_strands(self) -> Points:
        """``(K, 8, 2)``: lines from the crown to the edge of the fringe."""
        along = np.linspace(0, 1, 8)
        end = np.linspace(-0.135, 0.135, 10)[:, None]
        x = end * (0.30 + 0.70 * along)
        x = x * (1 + 0.25 * np.sin(np.pi * along))
        y = np.broadcast_to(-0.275 + 0.185 * along, x.shape)
        return self.head(np.stack([x, y], axis=-1).reshape(-1, 2), 0.6).reshape(10, 8, 2)

    @cached_property
    def hair_behind(self) -> Points:
        """Long hair behind neck and shoulders."""
        left, right = self.hair_outside(-1.0), self.hair_outside(1.0)
        return np.concatenate([left, right[::-1]])

    @cached_property
    def beard(self) -> Points:
        """From one sideburn along the jaw to the other, and back over cheeks and moustache."""
        return self._beard(0.0)

    @cached_property
    def beard_grown(self) -> Points:
        """The beard, reaching further out over the outline of the face."""
        return self._beard(0.030)

    def _beard(self, further: float) -> Points:
        grow = {"stubble": 0.0, "short": 0.006, "full": 0.024}[self.who.beard] + further
        width, chin = self.who.face_width, self.who.face_length
        jaw = width * (0.80 + 0.06 * self.who.jaw)
        mouth = self.who.mouth_width
        half = [
            (width * 0.985 + further, 0.020),
            (width * 0.945 + grow / 3 + further, 0.115),
            (jaw + grow / 2 + further / 2, 0.178 + grow / 3),
            (jaw * 0.72 + grow / 2, chin * 0.86 + grow * 0.8),
            (0.062, chin * 0.985 + grow),
            (0.0, chin + grow),
        ]
        inner = [(0.0, 0.132), (0.030, 0.128), (mouth + 0.012, 0.146), (mouth + 0.045, 0.146), (width * 0.86, 0.085)]
        outer = half + [(-x, y) for x, y in half[-2::-1]]
        back = [(-x, y) for x, y in inner[::-1]] + inner[1:]
        return self.head(np.concatenate([curve(outer), curve(back)]), 0.3)

    def _texture(self, line: Points, sign: float) -> Points:
        """Curls and waves along the outer edge of the hair."""
        texture = self.who.texture
        if texture == "straight":
            return line
        steps = np.hypot(*np.diff(line, axis=0).T)
        long = np.concatenate([[0.0], np.cumsum(steps)])
        at = np.linspace(0, long[-1], 90)
        line = np.stack([np.interp(at, long, line[:, 0]), np.interp(at, long, line[:, 1])], axis=1)
        fade = np.minimum(1, at / 0.04)  # none at the part, where both halves meet
        if texture == "curly":
            height = 0.024 * np.sqrt(np.abs(np.sin(np.pi * (at / 0.082 + 0.12 * np.sin(at * 31))))) - 0.012
        else:
            grow = np.linspace(0.3, 1.0, 90)
            height = (0.006 if self.man else 0.011) * np.sin(2 * np.pi * at / 0.15) * grow
        return line - normals(line) * (height * fade * sign)[:, None]


def _at(line: Points, shares: Points) -> Points:
    """The points at these shares of the way along ``line``."""
    place = np.linspace(0, 1, len(line))
    return np.stack([np.interp(shares, place, line[:, 0]), np.interp(shares, place, line[:, 1])], axis=1)
