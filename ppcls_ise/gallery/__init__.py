"""Features of images with what is known of them, searched by cosine; needs neither Paddle nor PaddleClas."""
from .gallery import Gallery, Match

__all__ = ["Gallery", "Match"]
