"""Photos in and out, colour, resizing and degrading in 8-bit RGB, and folders of photos. Knows no networks."""

from pocketsr.image.bleed import bleed_colour
from pocketsr.image.colour import rgb_to_grey, rgb_to_luma, rgb_to_y
from pocketsr.image.degrade import DEGRADATIONS, check_degradation, degrade, make_degradation
from pocketsr.image.formats import FORMATS, format_of, takes_quality
from pocketsr.image.frames import Frames, has_several, read_frames, write_frames
from pocketsr.image.jpeg_traces import JpegTraces, find_jpeg_traces
from pocketsr.image.layout import find_layout, has_part, match_files
from pocketsr.image.luma import enlarge_by_luma
from pocketsr.image.photo import Photo, channels_agree
from pocketsr.image.reading import DEFAULT_MAX_PIXELS, list_images, photo_from_pillow, read_image
from pocketsr.image.resize import crop_to_multiple, downscale, resize_bicubic
from pocketsr.image.resizing_strips import resize_strips
from pocketsr.image.writing import Strip, check_fits, replacing, write_image, write_strips

__all__ = [
    "DEFAULT_MAX_PIXELS",
    "DEGRADATIONS",
    "FORMATS",
    "Frames",
    "JpegTraces",
    "Photo",
    "Strip",
    "bleed_colour",
    "channels_agree",
    "check_degradation",
    "check_fits",
    "crop_to_multiple",
    "degrade",
    "downscale",
    "enlarge_by_luma",
    "find_jpeg_traces",
    "find_layout",
    "format_of",
    "has_part",
    "has_several",
    "list_images",
    "make_degradation",
    "match_files",
    "photo_from_pillow",
    "read_frames",
    "read_image",
    "replacing",
    "resize_bicubic",
    "resize_strips",
    "rgb_to_grey",
    "rgb_to_luma",
    "rgb_to_y",
    "takes_quality",
    "write_frames",
    "write_image",
    "write_strips",
]
