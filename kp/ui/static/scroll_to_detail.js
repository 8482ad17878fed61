// On a phone the enlarged picture may lie below the grid that was clicked.
() => document.getElementById('inside-detail')?.scrollIntoView({block: 'nearest',
  behavior: matchMedia('(prefers-reduced-motion: reduce)').matches ? 'auto' : 'smooth'})
