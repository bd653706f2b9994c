"""Tags of a holder's own customers, by rules that its operator writes in ``tags.toml``. All of it stays at the holder.

``config`` reads the file, ``names`` says what rules may name here, ``rules`` reads them; ``clients/data/rows/rules``
asks for what they read, each where the data is, and ``label_columns`` looks into labels; ``evaluation`` answers them;
``store`` keeps who had which tag from when until when, ``files`` and ``tables`` write it. See docs/tags.md.
"""
