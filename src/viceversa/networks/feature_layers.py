"""Inner features of networks, by the names of layers, from the pass that gives the answer."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from torch import Tensor, nn

from viceversa.errors import check
from viceversa.networks.layers import attended


def features(network: Any, x: Tensor, names: Sequence[str]) -> tuple[Any, dict[str, Tensor]]:
    """Return what ``network`` makes of ``x`` and, from the same pass, its inner features of the layers ``names``.

    Raises:
        ConfigError: The network has no such layers.
    """
    layers: Sequence[str] = getattr(network, "feature_layers", ())
    missing = [name for name in names if name not in layers]
    check(
        not missing,
        f"{type(network).__name__} has no layer {', '.join(missing)} to take features of; there are "
        f"{', '.join(layers) or 'none'}.",
    )
    return network(x, features=tuple(names))


def stages(layers: Mapping[str, nn.Module], x: Tensor, names: Sequence[str]) -> tuple[Tensor, dict[str, Tensor]]:
    """Apply ``layers`` in their order; return the result and what those of ``names`` gave."""
    found: dict[str, Tensor] = {}
    modules = list(layers.values())
    for index, (name, layer) in enumerate(layers.items()):
        x = layer(x)
        if name in names:  # the next layer may overwrite it
            overwritten = index + 1 < len(modules) and getattr(modules[index + 1], "inplace", False)
            found[name] = x.clone() if overwritten else x
    return x, found


class EncoderDecoder(nn.Module):
    """A generator of three parts, of which the first has a stem and two layers that halve the size."""

    config: Any
    encoder: nn.Sequential
    blocks: nn.Sequential
    decoder: nn.Sequential
    named: ClassVar[Mapping[int, str]]
    """Names of layers of the encoder."""

    @property
    def feature_layers(self) -> tuple[str, ...]:
        """Names of layers: "pixels" (padded), "stem", "down1" and "down2" before their norms, "block1" and so on."""
        return tuple(self._layers()) + ("mask",) * self.config.attention

    def forward(self, x: Tensor, features: tuple[str, ...] = ()) -> Any:
        """``(N, in_channels, H, W)`` to ``(N, out_channels, H, W)``; with ``features`` also what these layers give."""
        if not (features or self.config.attention):
            return self.decoder(self.blocks(self.encoder(x)))
        y, found = stages(self._layers(), x, features)
        if self.config.attention:
            y, found["mask"] = attended(y, x)
        return (y, {name: found[name] for name in features}) if features else y

    def _layers(self) -> dict[str, nn.Module]:
        layers = {self.named.get(index, f"encoder.{index}"): layer for index, layer in enumerate(self.encoder)}
        layers |= {f"block{index + 1}": layer for index, layer in enumerate(self.blocks)}
        return layers | {f"decoder.{index}": layer for index, layer in enumerate(self.decoder)}
