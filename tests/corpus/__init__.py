"""Inputs that are kept: what once found a defect, and what is likely to find the next one.

One file each, in a folder for each surface, named after what is wrong with it. They are replayed as they are, and the
random tests change them.
"""
