"""What is cut out of an image."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from viceversa.data import images
from viceversa.preparation import crops
from viceversa.preparation.borders import Box
from viceversa.preparation.config import PrepareConfig


def within(box: Box, outer: Box) -> bool:
    return outer.left <= box.left < box.right <= outer.right and outer.top <= box.top < box.bottom <= outer.bottom


@settings(max_examples=60, deadline=None)
@given(
    left=st.integers(0, 20), top=st.integers(0, 20), width=st.integers(8, 400), height=st.integers(8, 400),
    crop=st.sampled_from(["center", "tiles", "none"]), tall=st.integers(8, 64), wide=st.integers(8, 64),
    enlarge=st.booleans(),
)  # fmt: skip
def test_boxes_lie_inside_and_are_large_enough(left, top, width, height, crop, tall, wide, enlarge):
    wide = tall if crop == "none" else wide
    config = PrepareConfig(crop=crop, size_px=(tall, wide), enlarge=enlarge, tiles=3)
    picture = np.zeros((top + height + 5, left + width + 5, 3), np.uint8)
    inner = Box(left, top, left + width, top + height)
    found = crops.boxes(picture, inner, config, "source", 0)
    assert bool(found) == (enlarge or (width >= wide and height >= tall))
    for box in found:
        assert within(box, inner)
        if crop != "none":
            assert abs(box.width * tall - box.height * wide) <= max(tall, wide), "but for a pixel"
        else:
            assert max(box.width, box.height) <= crops.LONG * min(box.width, box.height)
        made = crops.cut(picture, box, config)
        assert min(made.shape[:2]) == min(tall, wide)
        assert crop == "none" or made.shape == (tall, wide, 3)
    assert found == crops.boxes(picture, inner, config, "source", 0)


def test_the_middle_is_the_middle():
    picture = np.zeros((90, 120, 3), np.uint8)
    config = PrepareConfig(size_px=32)
    assert crops.boxes(picture, Box(0, 0, 120, 90), config) == [Box(15, 0, 105, 90)]
    assert crops.boxes(picture, Box(0, 20, 120, 70), config) == [Box(35, 20, 85, 70)]
    wide = PrepareConfig(size_px="32x64")
    assert crops.boxes(picture, Box(0, 0, 120, 90), wide) == [Box(0, 15, 120, 75)]
    assert crops.boxes(picture, Box(0, 0, 30, 90), PrepareConfig(size_px="64x16")) == [Box(4, 0, 26, 90)]


@pytest.mark.parametrize(("shape", "count"), [((100, 240), 1), ((100, 250), 2), ((100, 990), 9), ((600, 100), 6)])
def test_long_pictures_are_cut_in_pieces(shape, count):
    picture = np.zeros((*shape, 3), np.uint8)
    whole = Box(0, 0, shape[1], shape[0])
    squares = crops.boxes(picture, whole, PrepareConfig(size_px=64))
    assert len(squares) == count
    pieces = crops.boxes(picture, whole, PrepareConfig(size_px=64, crop="none"))
    assert sum(box.width * box.height for box in pieces) == shape[0] * shape[1]  # nothing is lost


def test_tiles_differ_between_frames_and_seeds_only():
    picture, whole = np.zeros((200, 300, 3), np.uint8), Box(0, 0, 300, 200)
    config = PrepareConfig(size_px=32, crop="tiles", tiles=4)
    found = {name: crops.boxes(picture, whole, config, *name) for name in (("a", 0), ("a", 1), ("b", 0))}
    assert len({tuple(boxes) for boxes in found.values()}) == 3
    assert all(len(set(boxes)) == 4 for boxes in found.values())
    other = PrepareConfig(size_px=32, crop="tiles", tiles=4, seed=1)
    assert crops.boxes(picture, whole, other, "a", 0) != found["a", 0]


def test_faces_are_found_and_cut_square(shared_data):
    pytest.importorskip("cv2")
    faces = [images.read(file) for file in sorted((shared_data / "faces_lfw" / "testA").iterdir())[:6]]
    config = PrepareConfig(size_px=64, crop="faces")
    clear = [face for face in faces if crops.boxes(face, Box(0, 0, 176, 176), config)]
    assert len(clear) >= 5
    street = np.full((500, 900, 3), 120, np.uint8)
    for place, face in enumerate(clear[:3]):
        street[100 : 100 + 176, 60 + 280 * place : 60 + 280 * place + 176] = face
    found = crops.boxes(street, Box(0, 0, 900, 500), config)
    assert len(found) == 3
    for place, box in enumerate(found):
        assert box.width == box.height >= 64
        middle = (box.left + box.right) / 2, (box.top + box.bottom) / 2
        assert middle == pytest.approx((148 + 280 * place, 188), abs=25)
    # One at the rim is moved inside, and one that would have to be enlarged is left.
    (box,) = crops.boxes(clear[0], Box(30, 0, 176, 150), config)
    assert within(box, Box(30, 0, 176, 150))
    assert crops.boxes(clear[0], Box(0, 0, 176, 176), PrepareConfig(size_px=177, crop="faces")) == []
    for box in crops.boxes(street, Box(0, 0, 900, 500), PrepareConfig(size_px=(64, 96), crop="faces")):
        assert box.width / box.height == pytest.approx(1.5, rel=0.02)


def test_what_is_no_face_is_not_cut(make_view, shared_data):
    pytest.importorskip("cv2")
    config = PrepareConfig(size_px=48, crop="faces")
    # Windows that a first look takes for a face, and things that are nothing like one.
    others = [images.read(shared_data / "facades" / "pairs" / name) for name in ("0011.jpg", "0023.jpg", "0001.jpg")]
    others.append(make_view(0, 180, 240))
    for picture in others:
        assert crops.boxes(picture, Box(0, 0, picture.shape[1], picture.shape[0]), config) == []
