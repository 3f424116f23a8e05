"""Video: translated frame by frame, in segments that survive a kill, with its sound, times and rotation."""

from viceversa.inference.video.kinds import FILMS, WRITTEN, is_film
from viceversa.inference.video.movie import Outcome, translate_video

__all__ = ["FILMS", "WRITTEN", "Outcome", "is_film", "translate_video"]
