"""Perceptual measures: what images look like, beyond how far their pixels are off. Numpy only."""
