"""One file per figure: tables in, a matplotlib Figure out."""
