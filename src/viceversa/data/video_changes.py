"""What is changed when frames of a video become RGB of 8 bits; each in a few words, to be told once."""

from typing import Any

_HDR = (16, 18)  # transfer functions of H.273: PQ and HLG
ON_WHITE = "what is transparent in it lies on white"


def changes(frame: Any, stream: Any) -> list[str]:
    """Return what is not taken as it is, by the first decoded frame of a video and its stream."""
    notes: list[str] = []
    if round((frame.rotation or 0) / 90) % 4:
        notes.append("turned upright")
    bits = max(component.bits for component in frame.format.components)
    if int(frame.color_trc) in _HDR:
        notes.append(f"its high dynamic range, {bits} bits, is taken as 8 bits without tone mapping")
    elif bits > 8:
        notes.append(f"its {bits} bits are taken as 8 bits")
    if frame.interlaced_frame:
        notes.append("it is interlaced: both fields of a frame are taken as one image")
    # VP8 and VP9 keep it in a second stream of data, which the decoder leaves out.
    if stream.metadata.get("alpha_mode") == "1" and not has_alpha(frame):
        notes.append("its transparency cannot be decoded, and is left out")
    return notes


def has_alpha(frame: Any) -> bool:
    """Whether its format has an alpha channel, or a palette, whose colours may be transparent."""
    return frame.format.name == "pal8" or any(component.is_alpha for component in frame.format.components)
