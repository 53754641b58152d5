"""Datasets: files on disk enter; uint8 images with labels leave, decoded once and mapped into memory."""
