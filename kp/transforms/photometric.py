"""Photometric transforms: light, sharpness, noise and occlusion; keypoints stay unchanged."""

import cv2
import numpy as np

from kp.data.sample import Sample
from kp.transforms.base import RandomTransform


class PixelTransform(RandomTransform):
    """Changes the pixels only, with a probability; a subclass implements `change`."""

    def transform(self, sample: Sample, image: np.ndarray) -> Sample:
        return sample.moved(self.change(image), np.eye(2, 3))

    def change(self, image: np.ndarray) -> np.ndarray:
        """The changed image, uint8 of the same shape."""
        raise NotImplementedError


class RandomBrightnessContrast(PixelTransform):
    """Contrast, brightness and gamma as one curve, and sometimes a shadow across the face."""

    def change(self, image: np.ndarray) -> np.ndarray:
        gamma, contrast = np.exp(self.rng.uniform(-0.5, 0.5)), np.exp(self.rng.uniform(-0.6, 0.3))
        middle, offset = 0.5, self.rng.uniform(-0.15, 0.15)
        values = np.linspace(0, 1, 256) ** gamma
        curve = np.clip((values - middle) * contrast + middle + offset, 0, 1)
        lit = cv2.LUT(image, (curve * 255).astype(np.uint8))
        if self.rng.random() < 0.3:
            height, width = image.shape[:2]
            angle = self.rng.uniform(0, 2 * np.pi)
            y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
            ramp = 1 - self.rng.uniform(0.2, 0.6) * (0.5 + 0.5 * np.tanh(2 * (x * np.cos(angle) + y * np.sin(angle))))
            ramp = ramp.reshape(ramp.shape + (1,) * (image.ndim - 2))
            lit = (lit * ramp).astype(np.uint8)
        return lit


class RandomBlur(PixelTransform):
    """Defocus, or low resolution: shrunk and enlarged again."""

    def change(self, image: np.ndarray) -> np.ndarray:
        height, width = image.shape[:2]
        if self.rng.random() < 0.5:
            return cv2.GaussianBlur(image, (0, 0), float(self.rng.uniform(0.4, 0.015 * width + 0.5)))
        factor = self.rng.uniform(0.2, 0.7)
        small = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)


class RandomNoise(PixelTransform):
    """Sensor noise, the same for all colours, up to 12 grey levels (one standard deviation)."""

    def change(self, image: np.ndarray) -> np.ndarray:
        sigma = self.rng.uniform(2, 12)
        noise = self.rng.normal(0, sigma, image.shape[:2]).astype(np.float32)
        noise = noise.reshape(noise.shape + (1,) * (image.ndim - 2))
        return np.clip(image + noise, 0, 255).astype(np.uint8)


class RandomOcclusion(PixelTransform):
    """One or two patches of one colour, or copied from elsewhere in the same image."""

    def change(self, image: np.ndarray) -> np.ndarray:
        height, width = image.shape[:2]
        covered = image.copy()
        for _ in range(int(self.rng.integers(1, 3))):
            h, w = (self.rng.uniform(0.08, 0.4, 2) * (height, width)).astype(int) + 1
            top, left = self.rng.integers(height - h + 1), self.rng.integers(width - w + 1)
            if self.rng.random() < 0.5:
                covered[top : top + h, left : left + w] = self.rng.integers(0, 256, image.shape[2:])
            else:
                y, x = self.rng.integers(height - h + 1), self.rng.integers(width - w + 1)
                covered[top : top + h, left : left + w] = image[y : y + h, x : x + w]
        return covered
