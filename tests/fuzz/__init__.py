"""Files that somebody damaged or made to do harm, put to every reader and into every run."""
