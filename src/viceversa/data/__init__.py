"""From folders of pictures to batches on the device: `sources` is the way in."""
