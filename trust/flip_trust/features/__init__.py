"""What a job is told and shown of its persons."""
