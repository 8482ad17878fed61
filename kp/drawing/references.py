"""Reference errors on this data, of simple baselines and published results; mean NME in percent."""

REFERENCES = {
    "mean shape": 20.0,
    "nearest frame": 13.8,
    "best published": 9.74,
    "label rounding": 0.9,
}
