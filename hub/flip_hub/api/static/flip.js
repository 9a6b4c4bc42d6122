// Enhances pages that work without it: the design system's components, and a job's steps as they come.
import { initAll } from './nhsuk/nhsuk-frontend.min.js'

document.body.classList.add('js-enabled', 'nhsuk-frontend-supported')
initAll()

const list = document.querySelector('[data-events]')
if (list) watch(list)

async function watch (list) {
  let after = Number(list.dataset.after)
  for (;;) {
    let page
    try {
      const answer = await fetch(`${list.dataset.events}?after=${after}&wait=20`, { credentials: 'same-origin' })
      if (answer.status >= 400 && answer.status < 500) return
      if (!answer.ok) throw new Error(answer.statusText)
      page = await answer.json()
    } catch {
      await new Promise(resolve => setTimeout(resolve, 2000))
      continue
    }
    for (const event of page.events) {
      list.append(step(event))
      after = event.sequence
    }
    const round = document.getElementById('job-round')
    if (round) {
      round.textContent = page.job.round
      document.getElementById('job-progress').value = page.job.round
    } else if (page.job.state !== 'validated') {
      // a reviewer has decided: the page has a round to show now
      window.location.reload()
      return
    }
    if (['completed', 'rejected', 'cancelled', 'failed'].includes(page.job.state)) {
      window.location.reload()
      return
    }
  }
}

function step (event) {
  const item = document.createElement('li')
  const time = document.createElement('time')
  time.dateTime = event.at
  time.textContent = event.at.slice(11, 19)
  item.append(time, ` ${event.words || event.event}${event.trust ? ` (${event.trust})` : ''}`)
  return item
}
