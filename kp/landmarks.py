"""The 68 keypoints of a face, as numbered by iBUG 300-W (Sagonas et al., 2013).

"Left" and "right" are those of the image: the left eye is the one nearer the image's left edge in
a frontal face.
"""

import numpy as np

NUM_KEYPOINTS = 68

REGIONS: dict[str, range] = {
    "jaw": range(0, 17),
    "brows": range(17, 27),
    "nose": range(27, 36),
    "eyes": range(36, 48),
    "mouth": range(48, 68),
}

LEFT_EYE, RIGHT_EYE = range(36, 42), range(42, 48)
EYE_CORNERS = (36, 45)  # the outer corners; their distance is the unit of NME

CONTOURS: dict[str, list[int]] = {
    "jaw": list(range(0, 17)),
    "left brow": list(range(17, 22)),
    "right brow": list(range(22, 27)),
    "nose bridge": list(range(27, 31)),
    "nose base": list(range(31, 36)),
    "left eye": [*range(36, 42), 36],
    "right eye": [*range(42, 48), 42],
    "outer lip": [*range(48, 60), 48],
    "inner lip": [*range(60, 68), 60],
}

# After a left-right flip, point i of the face is the former point MIRROR[i]. It is its own inverse.
MIRROR = np.array(
    [*range(16, -1, -1), *range(26, 16, -1), *range(27, 31), *range(35, 30, -1)]
    + [45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40]
    + [*range(54, 47, -1), *range(59, 54, -1), *range(64, 59, -1), *range(67, 64, -1)]
)


def _name_points() -> list[str]:
    names = [""] * NUM_KEYPOINTS
    for contour, indices in CONTOURS.items():
        for position, index in enumerate(dict.fromkeys(indices)):
            names[index] = f"{contour} {position + 1}"
    return names


POINT_NAMES: list[str] = _name_points()  # "jaw 1" ... "inner lip 8"
REGION_OF_POINT: list[str] = [region for region, points in REGIONS.items() for _ in points]
