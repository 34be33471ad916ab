"""Git as a source without quota: commits, tags, merged pull requests and reverts, read from a clone without files.

address.py        where a repository is: which addresses are taken, its identity, its name in messages
command.py        running git: a clean environment, no prompts, no hooks, every failure a SourceError
mirror.py         the bare clone under METRICS_HOME/git, kept up to date by one process at a time
messages.py       what commit messages and addresses say: pull request numbers, reverts, people
history.py        `git log` as a stream of typed commits
stretch.py        a stretch of the default branch, and what each of its commits brought in
reading.py        the repository, its commits, tags and contributors as records, in batches
pull_requests.py  records.PullRequest of the merged ones, and what git cannot tell about them
"""
