"""The contract that methods, networks and augmentations keep to, as checks for your own; each makes tiny images.

>>> from viceversa.testing import check_method
>>> check_method("my_method.py")  # doctest: +SKIP

A check raises an AssertionError whose message says what does not hold and what that breaks.
"""

from viceversa.testing.augmentations import check_augmentation
from viceversa.testing.methods import METHOD_CHECKS, check_method
from viceversa.testing.networks import DISCRIMINATOR_CHECKS, GENERATOR_CHECKS, check_discriminator, check_generator
from viceversa.testing.runs import assert_same_run, small_config, write_images

__all__ = [
    "DISCRIMINATOR_CHECKS",
    "GENERATOR_CHECKS",
    "METHOD_CHECKS",
    "assert_same_run",
    "check_augmentation",
    "check_discriminator",
    "check_generator",
    "check_method",
    "small_config",
    "write_images",
]
