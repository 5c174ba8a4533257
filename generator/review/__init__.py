"""What a reviewer of committed templates needs: what changed, and what it means."""
