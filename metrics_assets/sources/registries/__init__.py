"""Package registries: one module each, and the services that know packages of several of them.

Each module has `collect(askers, subject)`, an asynchronous generator of batches of `records.Package*`. A registry is
made of parts (releases, downloads, dependents, advisories); one that cannot be had does not stop the others.
"""
