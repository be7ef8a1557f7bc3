"""Jobs: what is done beside the requests. A module named `*_job` is found by being here."""
