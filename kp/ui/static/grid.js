// Once clicked, a cell stays marked until the grid gets another value, be it the one that it had before.
element.addEventListener('click', event => {
  const button = event.target.closest('button[data-index]');
  if (!button) return;
  const index = Number(button.dataset.index);
  props.value = props.value.map((item, place) => ({...item, chosen: place === index}));
  trigger('select', {index});
})
