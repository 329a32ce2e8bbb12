"""What is kept for each pane and group and published for each window: one file for each kind of statistic."""
