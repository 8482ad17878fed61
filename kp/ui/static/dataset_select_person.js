// The filter's text is selected, so that typing starts a new search.
() => setTimeout(() => document.querySelector('#dataset-person input').select(), 30)
