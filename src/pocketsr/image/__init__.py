"""Images: photos in and out, luma, and the field's bicubic. Knows nothing of networks or model files."""

from pocketsr.image.colour import full_luma, studio_luma
from pocketsr.image.files import (
    DEFAULT_MAX_PIXELS,
    FORMATS,
    Photo,
    format_of,
    list_images,
    read_image,
    replacing,
    write_image,
)
from pocketsr.image.resize import crop_to_multiple, downscale, resize_bicubic

__all__ = [
    "DEFAULT_MAX_PIXELS",
    "FORMATS",
    "Photo",
    "crop_to_multiple",
    "downscale",
    "format_of",
    "full_luma",
    "list_images",
    "read_image",
    "replacing",
    "resize_bicubic",
    "studio_luma",
    "write_image",
]
