"""Slicer's side: nodes, views, steps. The only room that imports slicer, qt, ctk and vtk.

Nothing here needs, when it is imported, a package that Slicer does not bring along: those are imported where used.
"""
