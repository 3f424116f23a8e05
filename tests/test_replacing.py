"""Files are replaced whole or not at all, and nothing is left beside them."""

import pytest

from viceversa.replacing import beside, replace_file


@pytest.mark.parametrize("settings", [{}, {"alone": True}, {"durable": True}])
def test_a_file_takes_its_place_only_when_all_went_well(tmp_path, settings):
    path = tmp_path / "file"
    for content in "old", "new":
        with beside(path, **settings) as partial:
            partial.write_text(content)
    with pytest.raises(UnicodeEncodeError), beside(path, **settings) as partial:
        partial.write_text("half \udcff", "utf-8")
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_two_at_the_same_time_do_not_meet(tmp_path):
    with beside(tmp_path / "file") as one, beside(tmp_path / "file") as other:
        assert one != other
        one.write_text("one")
        other.write_text("other")
    assert (tmp_path / "file").read_text() == "one", "the last to end"


def test_windows_takes_it_too(tmp_path, files_of_windows):
    replace_file(tmp_path / "file", b"content")
    assert (tmp_path / "file").read_bytes() == b"content"
