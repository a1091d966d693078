// An aedes broker (MQTT 3.1.1) on the given port of 127.0.0.1: node broker.js NODE_MODULES PORT
'use strict'

const [modules, port] = process.argv.slice(2)
const aedes = require(require.resolve('aedes', { paths: [modules] }))()

aedes.on('clientError', (client, error) => console.error(`${client.id}: ${error.message}`))
aedes.on('connectionError', (client, error) => console.error(`${client.id}: ${error.message}`))
require('node:net').createServer(aedes.handle).listen(Number(port), '127.0.0.1')
