"""Video: translated frame by frame, in segments that survive a kill, with its sound, times and rotation."""

from viceversa.inference.video.kinds import VIDEOS, WRITTEN, is_video
from viceversa.inference.video.movie import Outcome, translate_video

__all__ = ["VIDEOS", "WRITTEN", "Outcome", "is_video", "translate_video"]
