() => {
  // On a phone the picture lies below the grid: bring it into view.
  if (innerWidth <= 640)
    document.getElementById('dataset-picture').scrollIntoView({behavior: 'smooth', block: 'start'});
}
