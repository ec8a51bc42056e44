class Cases:
    pass
