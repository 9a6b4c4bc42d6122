// What is typed is sent by htmx (see the page's hx- attributes). It stays in this browser until it is saved: the session
// may be closed, the hub away, or the page left while it is on its way.
const form = document.querySelector('[data-draft]')
const state = document.getElementById('draft-state')
const store = `flip-draft-${form.dataset.draft}`

form.addEventListener('input', event => {
  const field = event.target.closest('.flip-field')
  if (!field) return
  field.dataset.typed = Number(field.dataset.typed || 0) + 1
  keep(field)
})
document.body.addEventListener('htmx:beforeRequest', event => {
  if (event.target.matches('.flip-field')) event.target.dataset.sent = event.target.dataset.typed || ''
  // a link of a trouble stays where it is: leaving the field to click it sends the field once more
  if (event.target.matches('.flip-field') && !state.dataset.trouble) state.textContent = 'Saving …'
})
document.body.addEventListener('htmx:responseError', event => {
  keep(event.target)
  const status = event.detail.xhr.status
  if (status === 401 || status === 403) say('Not saved: you are signed out, or this page is of another session. What you typed is kept in this browser. ', 'Sign in again')
  else if (status === 409) say('Not saved: the application was submitted in the meantime. What you typed is kept in this browser. ', 'Load the page again')
  else say(`Not saved: the hub answered ${status}. What you typed is kept in this browser and is sent again with the next change. `, 'Load the page again')
})
document.body.addEventListener('htmx:sendError', event => {
  keep(event.target)
  say('Not saved: the hub cannot be reached. What you typed is kept in this browser and is sent again with the next change. ', 'Load the page again')
})
document.body.addEventListener('htmx:afterRequest', event => {
  if (!event.detail.successful || !event.target.matches('.flip-field')) return
  delete state.dataset.trouble
  // what was typed meanwhile has a request of its own
  if (event.target.dataset.sent === (event.target.dataset.typed || '')) forget(event.target)
})
window.addEventListener('online', () => resend())
window.addEventListener('load', () => resend())

function say (words, link) {
  if (state.dataset.trouble === words) return
  state.dataset.trouble = words
  const again = document.createElement('a')
  again.href = window.location.pathname
  again.textContent = link
  state.replaceChildren(words, again)
}

function read () {
  return JSON.parse(window.localStorage.getItem(store) || '{}')
}

function write (kept) {
  if (Object.keys(kept).length) window.localStorage.setItem(store, JSON.stringify(kept))
  else window.localStorage.removeItem(store)
}

function seen (field) {
  return field.querySelector('input[name^="seen-"]')
}

function inputs (field) {
  return [...field.querySelectorAll('input, textarea, select')].filter(one => one.name && one.type !== 'hidden')
}

function keep (field) {
  if (!field.matches('.flip-field')) return
  const values = inputs(field).map(one => [one.name, one.type === 'checkbox' || one.type === 'radio' ? one.checked : null, one.value])
  // with the revision that was typed over: a text saved elsewhere since is then not written over, both are kept
  write({ ...read(), [field.id]: { values, seen: seen(field).value } })
}

function forget (field) {
  const kept = read()
  delete kept[field.id]
  write(kept)
}

// fills in what an earlier page could not save, and sends it
function resend () {
  for (const [id, { values, seen: typedOver }] of Object.entries(read())) {
    const field = document.getElementById(id)
    if (!field) continue
    seen(field).value = typedOver
    const there = inputs(field)
    for (const [name, checked, value] of values) {
      const one = there.find(one => one.name === name && (checked === null || one.value === value))
      if (one && checked !== null) one.checked = checked
      else if (one) one.value = value
    }
    field.dispatchEvent(new Event('change', { bubbles: true }))
  }
}
