"""Arrays in, Plotly figures out: no Streamlit, no PyTorch."""
