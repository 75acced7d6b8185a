"""Inks and Lab to sRGB, through the colour profile where a file has one.

An RGB profile is another matter: its pixels stay as they are and the profile goes along. Knows nothing of files.
"""

from __future__ import annotations

import io

from PIL import Image


def to_srgb(image: Image.Image, profile: bytes | None) -> tuple[Image.Image, str]:
    """Return a CMYK or LAB image as sRGB.

    Args:
        image: Of Pillow's mode CMYK or LAB.
        profile: The ICC profile of the file; Lab needs none.

    Returns:
        The image of mode RGB, and what was given up in words for the user, empty where nothing was.
    """
    from PIL import ImageCms  # needs a library that some builds of Pillow lack, and is rarely used

    try:
        if image.mode == "LAB":
            source = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
        elif profile:
            source = ImageCms.getOpenProfile(io.BytesIO(profile))
        else:
            return image.convert("RGB"), "CMYK inks were converted to RGB without their colour profile: there is none"
        made = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError) as error:
        if image.mode == "LAB":
            raise
        return image.convert("RGB"), f"CMYK inks were converted to RGB without their colour profile ({error})"
    if made is None:
        raise ValueError("the colour profile gave no image")
    return made, ""
