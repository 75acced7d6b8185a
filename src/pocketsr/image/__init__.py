"""Photos in and out, colour and resizing, in 8-bit RGB arrays. Knows nothing of networks or model files."""

from pocketsr.image.colour import rgb_to_grey, rgb_to_luma, rgb_to_y
from pocketsr.image.formats import FORMATS, format_of
from pocketsr.image.luma import enlarge_by_luma
from pocketsr.image.photo import Photo
from pocketsr.image.reading import DEFAULT_MAX_PIXELS, list_images, read_image
from pocketsr.image.resize import crop_to_multiple, downscale, resize_bicubic
from pocketsr.image.writing import Strip, check_fits, replacing, write_image, write_strips

__all__ = [
    "DEFAULT_MAX_PIXELS",
    "FORMATS",
    "Photo",
    "Strip",
    "check_fits",
    "crop_to_multiple",
    "downscale",
    "enlarge_by_luma",
    "format_of",
    "list_images",
    "read_image",
    "replacing",
    "resize_bicubic",
    "rgb_to_grey",
    "rgb_to_luma",
    "rgb_to_y",
    "write_image",
    "write_strips",
]
