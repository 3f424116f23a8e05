"""Who is in the image: everything that a portrait shows, drawn once from a seed."""

from dataclasses import dataclass
from random import Random
from typing import Literal, TypeVar

from viceversa.seeding import derive

Colour = tuple[int, int, int]
Domain = Literal["women", "men", "photo", "anime"]
Gender = Literal["women", "men"]
Texture = Literal["straight", "wavy", "curly"]
Front = Literal["left", "right", "centre", "fringe"]
Beard = Literal["stubble", "short", "full"]

T = TypeVar("T")

_SKINS: tuple[Colour, ...] = (
    (255, 224, 203),
    (250, 213, 188),
    (243, 200, 168),
    (232, 184, 148),
    (216, 164, 125),
    (190, 134, 96),
    (156, 103, 72),
    (118, 76, 55),
)
_HAIR: tuple[Colour, ...] = (
    (38, 32, 38),
    (54, 38, 34),
    (84, 54, 38),
    (116, 72, 44),
    (140, 66, 40),
    (176, 84, 44),
    (196, 142, 76),
    (226, 186, 116),
)
_EYES: tuple[Colour, ...] = ((86, 52, 30), (120, 74, 34), (66, 112, 60), (48, 110, 160), (70, 140, 190), (60, 42, 34))
# Light to dark, top to bottom. Kept clear of mid-grey, so that a washed-out image is never taken for a kept one.
_BACKGROUNDS: tuple[tuple[Colour, Colour], ...] = (
    ((206, 231, 245), (132, 180, 218)),
    ((253, 226, 205), (243, 172, 146)),
    ((220, 240, 214), (140, 196, 156)),
    ((236, 222, 246), (180, 156, 216)),
    ((255, 240, 200), (244, 202, 112)),
    ((198, 238, 232), (98, 186, 182)),
    ((252, 220, 228), (232, 148, 170)),
    ((88, 116, 170), (44, 60, 108)),
    ((74, 138, 142), (30, 82, 92)),
    ((240, 234, 224), (206, 190, 168)),
)
_CLOTHES: tuple[Colour, ...] = (
    (44, 62, 96),
    (188, 60, 60),
    (42, 122, 110),
    (238, 236, 230),
    (232, 172, 60),
    (110, 74, 142),
    (52, 52, 60),
    (222, 112, 84),
    (72, 130, 190),
    (96, 130, 70),
)
_FRAMES: tuple[Colour, ...] = ((36, 32, 36), (92, 46, 30), (28, 50, 96))


@dataclass(frozen=True, kw_only=True)
class Identity:
    """One person: all that ``draw`` needs; lengths in parts of the image's side, the rest in [-1, 1] or [0, 1].

    Only ``gender`` decides what a domain changes (hair length, beard, brows, lips, lashes, jaw, neckline): all other
    fields show in every drawing of the person. ``beard`` is seen in men, ``hair_length`` and ``lips`` in women.
    """

    seed: int
    gender: Gender
    skin: Colour
    hair: Colour
    texture: Texture
    front: Front
    volume: float
    hair_length: float
    beard: Beard
    eye: Colour
    eye_size: float
    eye_slant: float
    eye_spacing: float
    brow_angle: float
    brow_height: float
    nose_width: float
    nose_length: float
    mouth_width: float
    smile: float
    lips: Colour
    face_width: float
    face_length: float
    jaw: float
    glasses: Literal["none", "round", "square"]
    frame: Colour
    light: float
    """Where the light comes from: -1 left, 1 right."""
    background: tuple[Colour, Colour]
    clothes: Colour
    shift_x: float
    shift_y: float
    turn: float
    tilt: float
    """Radians, clockwise."""

    @classmethod
    def from_seed(cls, seed: int) -> "Identity":
        """The person with this number: the same in every process and on every machine."""
        rng = Random(derive(seed, "avatar"))
        skin_tone = int(rng.random() * len(_SKINS))
        # Hair must stand out from the skin, clothes from the background; nothing else is tied together.
        hair = tuple(c for c in _HAIR[: len(_HAIR) if skin_tone < 4 else 4] if _distance(c, _SKINS[skin_tone]) > 130)
        background = _pick(rng, _BACKGROUNDS)
        clothes = _pick(rng, tuple(c for c in _CLOTHES if _distance(c, background[1]) > 150))
        return cls(
            seed=seed,
            gender=_pick(rng, ("women", "men")),
            skin=_jitter(rng, _SKINS[skin_tone], 5),
            hair=_jitter(rng, _pick(rng, hair), 6),
            texture=_pick(rng, ("straight", "straight", "wavy", "wavy", "curly")),
            front=_pick(rng, ("left", "right", "centre", "fringe")),
            volume=rng.random(),
            hair_length=rng.random(),
            beard=_pick(rng, ("stubble", "short", "short", "full")),
            eye=_jitter(rng, _EYES[int(rng.random() * (len(_EYES) if skin_tone < 5 else 2))], 6),
            eye_size=_around(rng, 1.0, 0.10),
            eye_slant=_around(rng, 0.03, 0.10),
            eye_spacing=_around(rng, 0.086, 0.005),
            brow_angle=_around(rng, 0.0, 1.0),
            brow_height=_around(rng, 0.0, 0.008),
            nose_width=_around(rng, 0.034, 0.006),
            nose_length=_around(rng, 0.100, 0.010),
            mouth_width=_around(rng, 0.066, 0.010),
            smile=rng.random(),
            lips=_pick(rng, ((196, 62, 76), (208, 84, 92), (176, 48, 66), (214, 98, 92))),
            face_width=_around(rng, 0.190, 0.012),
            face_length=_around(rng, 0.268, 0.012),
            jaw=rng.random(),
            glasses=_pick(rng, ("none", "none", "none", "none", "round", "square")),
            frame=_pick(rng, _FRAMES),
            light=_pick(rng, (-1.0, 1.0)) * (0.5 + 0.5 * rng.random()),
            background=background,
            clothes=_jitter(rng, clothes, 8),
            shift_x=_around(rng, 0.0, 0.022),
            shift_y=_around(rng, 0.0, 0.014),
            turn=_around(rng, 0.0, 1.0),
            tilt=_around(rng, 0.0, 0.075),
        )


def _pick(rng: Random, options: tuple[T, ...]) -> T:
    return options[int(rng.random() * len(options))]


def _around(rng: Random, middle: float, spread: float) -> float:
    """A triangular spread: most near the middle, none outside."""
    return middle + spread * (rng.random() + rng.random() - 1.0)


def _jitter(rng: Random, colour: Colour, spread: int) -> Colour:
    r, g, b = (min(255, max(0, round(channel + _around(rng, 0.0, spread)))) for channel in colour)
    return r, g, b


def _distance(first: Colour, second: Colour) -> int:
    return sum(abs(a - b) for a, b in zip(first, second, strict=True))
