"""What is drawn, and how hard it is to recognise."""
from __future__ import annotations

from dataclasses import dataclass

__all__ = ["SyntheticConfig", "SyntheticSet"]


@dataclass(frozen=True)
class SyntheticSet:
    """What is drawn; the block ``Synthetic`` of a config.

    Attributes:
        identities: persons of the training folder, with pids 1 .. identities.
        test_identities: other persons, of the query and gallery folders, with the next pids.
        images_per_identity: training images of a person, or gallery images of a test person. Each person is seen by 2
            to 4 cameras, all of one group.
        cameras: 2 .. 9, since Market's names have one digit for the camera.
        camera_groups: groups of consecutive cameras, as equal as possible, that share no person; persons are dealt out
            to them in turn. A group has at least two cameras.
        seed: any integer >= 0.
        height, width: size of an image in pixels.

    Raises:
        ValueError: a value is out of range.
    """

    identities: int = 128
    test_identities: int = 60
    images_per_identity: int = 12
    cameras: int = 6
    camera_groups: int = 1
    seed: int = 0
    height: int = 128
    width: int = 64

    def __post_init__(self) -> None:
        least = dict(identities=1, test_identities=1, images_per_identity=2, cameras=2, camera_groups=1, seed=0,
                     height=32, width=16)
        for key, bound in least.items():
            if getattr(self, key) < bound:
                raise ValueError(f"{key} must be at least {bound}, but is {getattr(self, key)}")
        if self.cameras > 9:
            raise ValueError(f"cameras must be at most 9 (Market-1501 names have one digit), but is {self.cameras}")
        if 2 * self.camera_groups > self.cameras:
            raise ValueError(f"camera_groups must be at most {self.cameras // 2}, so that each has two of the "
                             f"{self.cameras} cameras, but is {self.camera_groups}")
        if self.identities + self.test_identities > 9999:
            raise ValueError("identities + test_identities must be at most 9999 (Market-1501 names have four digits)")


@dataclass(frozen=True)
class SyntheticConfig:
    """How hard the synthetic set is. 1.0 is the default strength of a knob unless said otherwise.

    Attributes:
        camera_cast: white balance, gain, gamma and saturation that set the cameras apart; 0 makes them alike.
        camera_optics: blur, sensor noise and JPEG compression.
        camera_viewpoint: scale, tilt, roll and framing that differ from camera to camera.
        background: contrast and colour of the cameras' scenes; 0 is plain grey.
        palette_size: garment colours in use (2 .. 14); fewer make more persons look alike.
        colour_jitter: standard deviation of a person's own shift from the palette colour, in grey levels of 255.
        patterns: probability of a garment pattern (stripes, checks, print); the rest is plain.
        accessories: scales the probability of bags and hats.
        view_variation: spread of the viewing direction within a camera and a track.
        pose_variation: amplitude of the gait.
        box_jitter: error of the pedestrian detector.
        occlusion: probability that something or somebody covers a part of the person.
        light_variation: change of the light between the images of one camera.
    """
    camera_cast: float = 1.0
    camera_optics: float = 1.0
    camera_viewpoint: float = 1.0
    background: float = 1.0
    palette_size: int = 7
    colour_jitter: float = 9.0
    patterns: float = 0.6
    accessories: float = 1.0
    view_variation: float = 1.0
    pose_variation: float = 1.0
    box_jitter: float = 1.0
    occlusion: float = 0.06
    light_variation: float = 1.0
