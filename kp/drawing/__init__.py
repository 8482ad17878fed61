"""Pictures and charts: keypoints drawn on images, feature maps as colours, curves and bars as SVG."""
