// Single keys on the review screen. Each only presses a button or follows a link that is on the page; they rest while
// somebody writes, and can be turned off (WCAG 2.1.4).
const KEPT = 'flip-airlock-keys'
const box = document.querySelector('[data-keys]')

if (box) {
  const toggle = box.querySelector('[data-keys-on]')
  toggle.checked = localStorage.getItem(KEPT) !== 'off'
  toggle.addEventListener('change', () => localStorage.setItem(KEPT, toggle.checked ? 'on' : 'off'))
  box.hidden = false
  document.addEventListener('keydown', event => press(event, toggle))
}

function press (event, toggle) {
  const writing = event.target.closest('input:not([type=checkbox]), textarea, select, [contenteditable]')
  if (event.key === 'Escape' && writing) writing.blur()
  if (writing || !toggle.checked || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return
  const target = document.querySelector(`[data-key="${CSS.escape(event.key.toLowerCase())}"]`)
  if (!target) return
  event.preventDefault()
  if (target.matches('textarea')) target.focus()
  else if (lacksReason(target)) target.form.querySelector('textarea').focus()
  else target.click()
}

// A decision that needs a reason asks for it at once, instead of being sent and refused.
function lacksReason (target) {
  const reason = target.form?.querySelector('[data-needed-to]')
  return reason && reason.dataset.neededTo === target.value && !reason.value.trim()
}
