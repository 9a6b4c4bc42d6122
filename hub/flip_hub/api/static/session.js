// Says in good time that the session is about to end, and lets a person stay (WCAG 2.2.1). It asks the hub, as the
// person may have done something on another page meanwhile; asking keeps nothing open.
const place = document.querySelector('[data-session]')
const IDLE_WARNING = 120
const LONGEST_WARNING = 600
let timer

look()

async function look (options = {}) {
  clearTimeout(timer)
  let left
  try {
    const answer = await fetch(place.dataset.session, { credentials: 'same-origin', redirect: 'manual', ...options })
    // where the session has ended, the answer leads to the sign-in page
    if (answer.type === 'opaqueredirect' || answer.status === 401 || answer.status === 403) return ended()
    if (!answer.ok) return again(15)
    left = await answer.json()
  } catch {
    return again(15)
  }
  if (left.idle === null) return
  show(left)
}

function again (seconds) {
  timer = setTimeout(look, Math.max(1, seconds) * 1000)
}

function show ({ idle, longest }) {
  if (longest <= LONGEST_WARNING) {
    say(`You will be signed out in ${inWords(longest)}, as a session ends after some hours. Save what you are doing, and sign in again.`)
    return again(Math.min(longest, idle, 60))
  }
  if (idle <= IDLE_WARNING) {
    say(`You will be signed out in ${inWords(idle)}, as you have done nothing for a while.`, stayButton())
    return again(Math.min(idle, 30))
  }
  place.replaceChildren()
  again(Math.min(idle - IDLE_WARNING, longest - LONGEST_WARNING))
}

function inWords (seconds) {
  if (seconds >= 90) return `${Math.round(seconds / 60)} minutes`
  return seconds > 45 ? 'a minute' : 'less than a minute'
}

function stayButton () {
  const button = document.createElement('button')
  button.className = 'nhsuk-button nhsuk-button--small'
  button.type = 'button'
  button.textContent = 'Stay signed in'
  button.addEventListener('click', () => look({ method: 'POST', headers: { 'x-csrf-token': place.dataset.csrf } }))
  return button
}

function ended () {
  const link = document.createElement('a')
  link.href = window.location.href
  link.textContent = 'Sign in again'
  say('You are signed out. What you have not sent is not saved. ', link)
}

// Written anew only when its words change: a screen reader says each change.
function say (words, act) {
  if (place.dataset.said === words && place.childElementCount) return
  place.dataset.said = words
  const box = document.createElement('div')
  box.className = 'nhsuk-inset-text flip-session'
  const text = document.createElement('p')
  text.append(words)
  box.append(text)
  if (act?.matches('a')) text.append(act)
  else if (act) box.append(act)
  place.replaceChildren(box)
}
