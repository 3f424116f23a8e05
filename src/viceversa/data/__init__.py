"""From folders of images to batches on the device: `sources` is the way in."""
