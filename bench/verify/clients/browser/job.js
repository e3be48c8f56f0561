// What every page here begins with: the job that the test gives it, which stands above, and words for
// what the client learns of it. A page sends the events of the job once and in the way that its library
// documents.
//
// The job has url and host, of the collector or a proxy; token, the tracker's id of the site; site, the
// host of the page; and the events.
job.sends = (name) => job.events.split(',').includes(name)
job.success = () => console.log('success')
job.failure = (why) => console.log('failure', String(why?.message ?? why))

// What a bundler makes of require(name): the files of a package in CommonJS, each run once, with the packages that it requires in made.
job.commonJS = async (name, files, made) => {
  const texts = {}
  for (const file of files) texts['./' + file] = await (await fetch(`/packages/${name}/${file}`)).text()
  const require = (file) => {
    if (!made[file]) {
      made[file] = {}
      new Function('exports', 'require', texts[file])(made[file], require)
    }
    return made[file]
  }
  return require('./' + files.at(-1))
}
