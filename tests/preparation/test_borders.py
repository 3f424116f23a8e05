"""Black bars and borders: found to the pixel, and dark or plain images are left whole."""

import numpy as np
import pytest

from viceversa.data import images
from viceversa.preparation import borders
from viceversa.preparation.borders import Box, Depths
from viceversa.preparation.frames import to_grey


@pytest.mark.parametrize("colour", [0, 255, 128])
@pytest.mark.parametrize("pad", [((12, 12), (0, 0)), ((0, 0), (30, 21)), ((5, 9), (7, 7))])
def test_borders_of_a_picture_are_found_to_the_pixel(make_view, pad, colour):
    picture = np.pad(make_view(1, 100, 150), (*pad, (0, 0)), constant_values=colour)
    (top, bottom), (left, right) = pad
    expected = Box(left, top, picture.shape[1] - right, picture.shape[0] - bottom)
    assert borders.of_picture(to_grey(picture)) == expected
    assert expected.cut(picture).shape == (100, 150, 3)


def test_what_only_looks_like_a_border_stays(make_view):
    view = to_grey(make_view(2, 100, 150))
    one_side = view.copy()
    one_side[:30] = 0  # an image by itself has bars on both sides or none
    sky = np.pad(view[:70], ((30, 0), (0, 0)), constant_values=200)
    uneven = np.zeros((100, 150), np.uint8)
    rows, columns = np.ogrid[:100, :150]
    uneven[(rows - 50) ** 2 + (columns - 75) ** 2 < 40**2] = 180  # a ball before a black ground
    for picture in (one_side, sky, uneven, np.zeros((100, 150), np.uint8)):
        assert borders.of_picture(picture) == Box(0, 0, 150, 100)


def test_a_film_is_judged_by_all_of_its_scenes():
    bars = Depths(40, 40, 0, 0)
    night = Depths(130, 40, 0, 0)  # a black sky below the upper bar
    full = Depths(0, 0, 0, 0)
    unclear = Depths(-1, -1, 0, 0)
    samples = [(0, bars)] * 5 + [(1, night)] * 5 + [(2, bars)] * 4 + [(2, Depths(40, 10, 0, 0))]
    samples += [(3, full)] * 5 + [(4, unclear)] * 5 + [(5, bars)] * 3
    found = borders.of_video(samples, (360, 640))
    inner = Box(0, 42, 640, 318)
    # The night is not cut deeper, a subtitle in the bar does not count, and one scene has no bars.
    assert found == {0: inner, 1: inner, 2: inner, 3: Box(0, 0, 640, 360), 4: inner, 5: inner}


@pytest.mark.parametrize("folder", ["faces_lfw/testA", "photo2anime/testA", "photo2anime/testB", "vangogh2photo/testA"])
def test_real_pictures_without_borders_stay_whole(shared_data, folder):
    for file in sorted((shared_data / folder).iterdir())[:20]:
        picture = images.read(file)
        assert borders.of_picture(to_grey(picture)) == Box(0, 0, picture.shape[1], picture.shape[0]), file
