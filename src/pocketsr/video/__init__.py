"""Video: decoded, enlarged and encoded in one stream, with every time, track and colour as it was. No torch; PyAV."""

from pocketsr.video.job import VideoResult, upscale_video
from pocketsr.video.progress import Progress
from pocketsr.video.segments import upscale_in_segments
from pocketsr.video.settings import Encoding, Raw

__all__ = ["Encoding", "Progress", "Raw", "VideoResult", "upscale_in_segments", "upscale_video"]
