"""Plots. Arrays in, ``plotly.graph_objects.Figure`` out; nothing here knows of Streamlit."""
