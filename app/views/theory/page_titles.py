"""Titles of the sections of the Theory page, by their anchors."""

SECTIONS = {
    "questions": "1 Two questions",
    "density": "2 Density estimation",
    "gradient": "3 The gradient",
    "reparameterisation": "4 Reparameterisation",
    "samples": "5 L draws",
    "assumptions": "6 Assumptions and calculation",
    "flow": "7 Flows",
    "glossary": "Glossary",
}
PARTS = {
    "weights": "2.2 An estimate by weighted draws",
    "bound": "2.3 A bound below log p(x)",
}
"""Parts of sections that define a symbol."""
