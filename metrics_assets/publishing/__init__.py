"""Where a finished build of the site goes: a folder, object storage, a branch that is served as pages, this machine."""
